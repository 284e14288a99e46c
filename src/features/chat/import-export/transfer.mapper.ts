import type { AppError } from '../../../common/errors.js';
import { FILE_VERSION } from './conversation-file.dto.js';
import type { Export } from './export.service.js';
import type { ExportedConversation, ExportedMessage } from './transfer.repository.js';

/** A message that is exported. */
type Message = ExportedMessage & { readonly active: boolean };

/** The formats of a file. */
export const FORMATS = ['json', 'markdown'] as const;

/** One of them. */
export type Format = (typeof FORMATS)[number];

/** A file as it is sent. */
export interface ExportedFile {
  readonly contentType: string;
  readonly fileName: string;
  readonly pieces: (signal: AbortSignal) => AsyncIterable<string>;
  /** What ends a file that cannot be finished. */
  readonly failure: (error: AppError) => string;
}

/** An export as a file that is sent piece by piece. Its name is made of the id: a title is what a user wrote. */
export function toFile(exported: Export, format: Format): ExportedFile {
  const name = `conversation-${exported.conversation.id}`;
  return format === 'json'
    ? {
        contentType: 'application/json; charset=utf-8',
        fileName: `${name}.json`,
        pieces: (signal) => toJson(exported, signal),
        // No JSON any more, so that it cannot be taken for the whole of it.
        failure: ({ code, message }) => `\n${JSON.stringify({ error: { code, message } })}\n`,
      }
    : {
        contentType: 'text/markdown; charset=utf-8',
        fileName: `${name}.md`,
        pieces: (signal) => toMarkdown(exported, signal),
        failure: ({ message }) => `\n\n---\n\n**The export was interrupted here.** ${message}\n`,
      };
}

/** All branches; see `CONVERSATION_FILE`. */
async function* toJson({ conversation, messages }: Export, signal: AbortSignal): AsyncGenerator<string> {
  const head = JSON.stringify(toFileConversation(conversation));
  yield `{"version":${FILE_VERSION},"conversation":${head},"messages":[`;
  let separator = '\n';
  for await (const message of messages('all', signal)) {
    yield separator + JSON.stringify(toFileMessage(message));
    separator = ',\n';
  }
  yield '\n]}\n';
}

function toFileConversation(conversation: ExportedConversation) {
  return {
    id: conversation.id,
    title: conversation.title,
    system_prompt: conversation.systemPrompt,
    archived: conversation.archived,
    pinned: conversation.pinned,
    created_at: conversation.createdAt.toISOString(),
    updated_at: conversation.updatedAt.toISOString(),
  };
}

function toFileMessage(message: Message) {
  const { toolCalls, toolCallId, attachments, errorCode, errorMessage, warning } = message;
  return {
    id: message.id,
    parent_id: message.parentId,
    role: message.role,
    status: message.status,
    content: message.content,
    active: message.active,
    model: message.model,
    finish_reason: message.finishReason,
    ...(toolCalls !== null && { tool_calls: toolCalls }),
    ...(toolCallId !== null && { tool_call_id: toolCallId }),
    ...(attachments.length > 0 && {
      attachments: attachments.map(({ name, mediaType }) => ({ name, media_type: mediaType })),
    }),
    ...(errorCode !== null && { error: { code: errorCode, message: errorMessage ?? '' } }),
    ...(warning !== null && { warning }),
    created_at: message.createdAt.toISOString(),
    completed_at: message.completedAt?.toISOString() ?? null,
  };
}

const SPEAKERS: Readonly<Record<Message['role'], string>> = {
  user: 'User',
  assistant: 'Assistant',
  tool: 'Tool',
};

/** The active path, for people. */
async function* toMarkdown({ conversation, messages }: Export, signal: AbortSignal): AsyncGenerator<string> {
  yield `# ${inOneLine(conversation.title)}\n`;
  for await (const { role, model, content, attachments } of messages('active', signal)) {
    const speaker = model === null ? SPEAKERS[role] : `${SPEAKERS[role]} (${inOneLine(model)})`;
    const files = attachments.map(({ name }) => `- ${inOneLine(name)}\n`).join('');
    yield `\n## ${speaker}\n\n${content}\n${files === '' ? '' : `\n${files}`}`;
  }
}

/** A heading ends with its line. */
function inOneLine(text: string): string {
  return text.replace(/\s+/gu, ' ').trim();
}
