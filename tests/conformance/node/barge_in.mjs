// A user who speaks over an answer.
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, finish, options, speak } from './call.mjs';

const call = await connect();
await call.events.until('session.updated');
call.session.sendMessage('Tell me a long story.');
await call.events.until('response.output_audio.delta');
await sleep(options.heard_ms);
async function twice() {
  await call.events.until('response.done');
  await call.events.until('response.done');
}
await speak(call.session, twice());
finish(call);
