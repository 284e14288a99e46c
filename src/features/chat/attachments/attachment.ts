import type { ChatMessage, MediaKind, MediaSupportLevel } from '../../../llm/index.js';
import type { StoredFile } from '../../files/index.js';

/**
 * Maximum total size of the images and PDFs of one question that are sent as they are, and of all those in the context
 * of a turn, in bytes.
 */
export const MAX_FILES_BYTES = 20 * 2 ** 20;

/** Kind of a file that can be sent to a model. */
export type AttachmentKind = MediaKind | 'text';

/** Form in which a file is sent to a model: as it is, or as its extracted text. */
export type AttachmentForm = MediaKind | 'text';

/** Support of a model for media. */
export type ModelMediaSupport = Readonly<Record<MediaKind, MediaSupportLevel>>;

const DOCX = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

/** A content part of a user message. */
export type Part = Exclude<Extract<ChatMessage, { role: 'user' }>['content'], string>[number];

/** Returns the kind of a file; undefined if it cannot be sent to a model. */
export function attachmentKind(mediaType: string): AttachmentKind | undefined {
  if (mediaType.startsWith('image/')) return 'image';
  if (mediaType === 'application/pdf') return 'pdf';
  const isText = mediaType.startsWith('text/') || mediaType === 'application/json' || mediaType === DOCX;
  return isText ? 'text' : undefined;
}

/**
 * Returns the form in which a file is sent to a model. A model that reads PDFs gets the document, any other its text;
 * a scanned document has none, so it is sent as it is to a model that may read it.
 */
export function attachmentForm(
  kind: AttachmentKind,
  { size, text }: Pick<StoredFile, 'size' | 'text'>,
  support: ModelMediaSupport,
): AttachmentForm {
  if (kind !== 'pdf' || size > MAX_FILES_BYTES) return kind === 'pdf' ? 'text' : kind;
  if (support.pdf === 'supported') return 'pdf';
  const isScanned = text.status === 'failed' && text.error === 'no_text_layer';
  return support.pdf === 'unknown' && isScanned ? 'pdf' : 'text';
}

/** Converts an image or a PDF to a content part. */
export function toMediaPart(
  kind: MediaKind,
  { name, mediaType }: { readonly name: string; readonly mediaType: string },
  bytes: Buffer,
): Part {
  const url = `data:${mediaType};base64,${bytes.toString('base64')}`;
  if (kind === 'image') return { type: 'image_url', image_url: { url } };
  return { type: 'file', file: { filename: name, file_data: url } };
}

/** Reason why a deleted file is not sent to a model, as the end of a sentence. */
export const DELETED = 'was deleted.';

/** Returns the text sent to a model in place of a file that is left out. */
export function toOmittedFilePart(name: string, why: string): Part {
  return { type: 'text', text: `[The file "${name}" ${why}]\n\n` };
}
