// A transcription session. The SDK has none of its own: its transport is told what to send.
import { OpenAIRealtimeWebSocket } from '@openai/agents-realtime';
import { Events, options, speak, tell } from './call.mjs';

class Transcribing extends OpenAIRealtimeWebSocket {
  buildSessionPayload() {
    const transcription = { model: 'whisper-1', language: 'en' };
    return { type: 'transcription', audio: { input: { transcription, turn_detection: { type: 'server_vad' } } } };
  }

  _updateTracingConfig() {} // it would send an update of type "realtime"
}

const transport = new Transcribing();
const events = new Events(transport);
transport.on('error', (error) => tell('error', error));
await transport.connect({ apiKey: options.key, url: options.url });
await events.until('session.updated');
await speak(transport, events.until('conversation.item.input_audio_transcription.completed'));
events.tellDropped();
transport.close();
