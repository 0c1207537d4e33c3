// A client that hangs up and comes back to the same conversation.
import { connect, finish, options } from './call.mjs';

const config = { outputModalities: ['text'] };
const first = await connect({ config });
const { session } = await first.events.until('session.created');
first.session.sendMessage('Remember the number seven.');
const { response } = await first.events.until('response.done');
finish(first);

const url = new URL(options.url);
url.searchParams.set('session_id', session.id);

const second = await connect({ config, url: url.toString() });
await second.events.until('session.updated');
second.transport.sendEvent({ type: 'conversation.item.retrieve', item_id: response.output[0].id });
await second.events.until('conversation.item.retrieved');
second.session.sendMessage('Which number was it?');
await second.events.until('response.done');
finish(second);
