import type { StreamEvent } from '../client.js';

/** Yields the events of a response as they arrive. Throws if the connection breaks. */
export async function* readEvents(response: Response): AsyncGenerator<StreamEvent> {
  if (response.body === null) return;
  let rest = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const frames = (rest + piece).split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data === undefined) continue;
      yield {
        id: /^id: (.*)$/m.exec(frame)?.[1],
        data: data === '[DONE]' ? data : (JSON.parse(data) as unknown),
      };
    }
  }
}
