// A recording, answered aloud; the SDK's own settings: semantic_vad and transcription.
import { connect, finish, speak } from './call.mjs';

const call = await connect();
await call.events.until('session.updated');
// The SDK retrieves the question when its transcript has come.
await speak(call.session, call.events.untilAll('response.done', 'conversation.item.retrieved'));
finish(call);
