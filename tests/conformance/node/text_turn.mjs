// A written question, answered in text.
import { connect, finish } from './call.mjs';

const call = await connect({ config: { outputModalities: ['text'] }, instructions: 'Be brief.' });
await call.events.until('session.updated');
call.session.sendMessage('Hello');
await call.events.until('response.done');
finish(call);
