// A response beside the conversation.
import { connect, finish } from './call.mjs';

const call = await connect({ config: { outputModalities: ['text'] } });
await call.events.until('session.updated');
call.session.sendMessage('Hello');
await call.events.until('response.done');
const content = [{ type: 'input_text', text: 'Classify this.' }];
call.transport.sendEvent({
  type: 'response.create',
  response: {
    conversation: 'none',
    metadata: { topic: 'support' },
    output_modalities: ['text'],
    input: [{ type: 'message', role: 'user', content }],
  },
});
await call.events.until('response.done');
finish(call);
