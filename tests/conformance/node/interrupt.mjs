// A "stop talking" button, pressed while the answer is played; then another question.
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, finish, options } from './call.mjs';

const call = await connect();
await call.events.until('session.updated');
call.session.sendMessage('Tell me a long story.');
await call.events.until('response.output_audio.delta');
await sleep(options.heard_ms);
call.session.interrupt();
await call.events.untilAll('response.done', 'conversation.item.retrieved'); // that of the item it truncated
call.session.sendMessage('Hello');
await call.events.until('response.done');
finish(call);
