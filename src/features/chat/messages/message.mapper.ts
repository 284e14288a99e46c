import { toUsd } from '../../../common/money.js';
import { citedSources, type SourceBody, toSourceBody } from '../../rag/index.js';
import type { ListedMessage } from './stored-message.js';
import { toToolCalls, toOpenAiToolCalls } from '../model/tool-calls.js';
import type { AttachmentBody, MessageBody } from './message.dto.js';
import type { StoredMessage } from './stored-message.js';
import type { AnswerSources } from '../model/answer-sources.js';
import { type OmittedPages, toOmittedPages } from '../model/omitted-pages.js';
import type { OmittedPagesBody } from './omitted-pages.dto.js';
import type { UsageBody } from './usage.dto.js';
import type { StoredAttachment } from '../attachments/attachment.repository.js';

/** Converts a message, without its attachments, to its API representation. */
export function toMessageBody(message: StoredMessage): MessageBody {
  const { errorCode, errorMessage, warning, toolCallId } = message;
  const calls = toToolCalls(message.toolCalls);
  return {
    id: message.id,
    role: message.role,
    content: message.content,
    ...(calls.length > 0 && { tool_calls: toOpenAiToolCalls(calls) }),
    ...(toolCallId !== null && { tool_call_id: toolCallId }),
    status: message.status,
    parent_id: message.parentId,
    active: message.active,
    model: message.model,
    usage: toAnswerUsage(message),
    cost_estimate: toUsd(message.costMicroUsd),
    finish_reason: message.finishReason,
    attachments: [],
    ...(errorCode !== null && { error: { code: errorCode, message: errorMessage ?? '' } }),
    ...(warning !== null && { warning }),
    ...toOmittedPagesField(toOmittedPages(message.omittedPages)),
    created_at: message.createdAt.toISOString(),
  };
}

/** Returns the field for omitted pages if there are any. */
export function toOmittedPagesField(omitted: readonly OmittedPages[] = []): {
  omitted_pages?: OmittedPagesBody[];
} {
  return omitted.length === 0 ? {} : { omitted_pages: omitted.map(toOmittedPagesBody) };
}

/** Returns the fields for the sources of an answer if it is based on collections. */
export function toSourcesField(
  text: string,
  sources: AnswerSources | undefined,
): { sources?: SourceBody[]; citations?: SourceBody[] } {
  if (sources === undefined) return {};
  return { sources: sources.map(toSourceBody), citations: citedSources(text, sources).map(toSourceBody) };
}

/** Converts omitted pages to their API representation. */
export function toOmittedPagesBody({ fileId, name, pages }: OmittedPages): OmittedPagesBody {
  return { file_id: fileId, name, pages: [...pages] };
}

/** Returns the usage of an answer; null while it is being generated, because it is not known yet. */
export function toAnswerUsage({ inputTokens, outputTokens }: StoredMessage): UsageBody | null {
  if (inputTokens === null || outputTokens === null) return null;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  };
}

/** Converts a message of a list to its API representation. */
export function toListedMessageBody(message: ListedMessage): MessageBody {
  const { previous, next, attachments, shownSources } = message;
  return Object.assign(toMessageBody(message), {
    previous_sibling_id: previous,
    next_sibling_id: next,
    attachments: attachments.map(toAttachmentBody),
    ...toSourcesField(message.content, shownSources),
  });
}

export function toAttachmentBody({ fileId, name, mediaType }: StoredAttachment): AttachmentBody {
  return { file_id: fileId, name, media_type: mediaType };
}
