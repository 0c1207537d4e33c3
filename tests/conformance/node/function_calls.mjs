// Two tools run side by side, and the answers that their results make: the SDK asks for one when the first is
// there, and for another where the second was too late for it.
import { tool } from '@openai/agents-realtime';
import { z } from 'zod';
import { connect, finish, tell } from './call.mjs';

const weather = tool({
  name: 'get_weather',
  description: 'The weather of a city.',
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    tell('tool', city);
    return `fine in ${city}`;
  },
});
const call = await connect({ config: { outputModalities: ['text'] }, tools: [weather] });
await call.events.until('session.updated');
call.session.sendMessage('What is the weather in Paris and in Tokyo?');
let answers = '';
while (!answers.includes('Paris') || !answers.includes('Tokyo')) {
  answers += (await call.events.until('response.output_text.done')).text;
  await call.events.until('response.done');
}
call.session.sendMessage('Thank you');
await call.events.until('response.done');
finish(call);
