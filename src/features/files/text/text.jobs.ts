import { isId } from '../../../common/ids.js';
import { TEXT_FORMATS, type TextFormat } from '../extraction/extracted-text.js';

/** The queue of text extraction. A separate queue, because a document may take a minute and must not delay others. */
export const TEXTS_QUEUE = 'file-texts';

/** The job that extracts a text. */
export const TEXT_JOB = 'file-text';

/** Key of a text: the content that it is extracted from, and the format by which. */
export interface TextRef {
  readonly userId: string;
  readonly contentId: string;
  readonly format: TextFormat;
}

/** Payload of the job. */
export interface TextJob {
  readonly user_id: string;
  readonly content_id: string;
  readonly format: string;
}

/** Converts a text to the payload of its job. */
export function toTextJob({ userId, contentId, format }: TextRef): TextJob {
  return { user_id: userId, content_id: contentId, format };
}

/** Returns the text of a job; undefined if its format was added by a newer version. */
export function toTextRef({
  user_id: userId,
  content_id: contentId,
  format: given,
}: TextJob): TextRef | undefined {
  const format = TEXT_FORMATS.find((known) => known === given);
  return format !== undefined && isId(userId) && isId(contentId) ? { userId, contentId, format } : undefined;
}
