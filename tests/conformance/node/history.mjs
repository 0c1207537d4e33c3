// A history that the client writes anew: one item in place of another, one at the front, one removed.
import { connect, finish } from './call.mjs';

const call = await connect({ config: { outputModalities: ['text'] } });
await call.events.until('session.updated');
const said = (itemId, text) => ({
  itemId,
  type: 'message',
  role: 'user',
  status: 'completed',
  content: [{ type: 'input_text', text }],
});
call.session.updateHistory([said('one', 'one'), said('two', 'two'), said('three', 'three')]);
for (let n = 0; n < 3; n++) await call.events.until('conversation.item.done');
call.session.updateHistory([said('zero', 'zero'), said('two', 'two'), said('three', 'drei')]);
for (let n = 0; n < 2; n++) await call.events.until('conversation.item.done');
call.session.sendMessage('Hello');
await call.events.until('response.done');
finish(call);
