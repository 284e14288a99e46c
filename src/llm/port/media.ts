import type { ChatRequest } from './chat.js';

/** Kinds of input besides text that some models support. */
export type MediaKind = 'image' | 'pdf';

/** Returns the kinds of media in a request. A file that is not a PDF is left to its provider. */
export function mediaKindsOf({ messages }: Pick<ChatRequest, 'messages'>): ReadonlySet<MediaKind> {
  const kinds = new Set<MediaKind>();
  for (const { content } of messages) {
    if (!Array.isArray(content)) continue;
    for (const part of content) {
      if (part.type === 'image_url') kinds.add('image');
      else if (part.type === 'file' && part.file.file_data?.startsWith('data:application/pdf') === true)
        kinds.add('pdf');
    }
  }
  return kinds;
}
