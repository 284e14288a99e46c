import { type BatchTask, TASK_ENDPOINTS } from '../model/batch-task.js';
import { CUSTOM_ID_FAULT, isCustomId } from '../model/custom-id.js';
import type { InputLine, ParsedLine, ParseLine } from '../model/input-line.js';
import { fieldOf, type Fields, isFields, withSharedFields } from './shared-fields.js';

/** Maximum length of the name of a model, in UTF-16 units. */
const MAX_MODEL = 256;

/** The field with the input of a request, by task. */
const INPUT_FIELDS = { chat: 'messages', embed: 'input' } as const satisfies Record<BatchTask, string>;

/** Fields of a line in the format of OpenAI's files. */
const ENVELOPE: ReadonlySet<string> = new Set(['custom_id', 'method', 'url', 'body']);

/** Code of a line that lacks a field. */
const MISSING = 'missing_required_parameter';

/** A fault of a line. */
class LineFault extends Error {
  constructor(
    message: string,
    readonly param: string | null,
    readonly code = 'invalid_request',
  ) {
    super(message);
  }
}

/**
 * Returns a reader of the requests of our own API, in a file or in the body of a request: `{custom_id?, text}`,
 * `{custom_id?, messages}` or, for embeddings, `{custom_id?, input}`, each with further fields of the route, or
 * OpenAI's `{custom_id, method, url, body}`.
 * @param shared fields that the requests have unless they set them
 */
export function parseParleyLine(shared: Fields, task: BatchTask): ParseLine {
  return (json, line): ParsedLine => {
    try {
      return { line: readLine(json, line, shared, task) };
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      return { fault: { code: error.code, message: error.message, param: error.param } };
    }
  };
}

/** Returns the `custom_id` of a request that has none, by its number from 1. */
export function defaultCustomId(line: number): string {
  return `request-${line}`;
}

function readLine(json: unknown, line: number, shared: Fields, task: BatchTask): InputLine {
  if (!isFields(json)) throw new LineFault('A request must be a JSON object.', null, 'invalid_json_line');
  const customId = readCustomId(fieldOf(json, 'custom_id'), line);
  const body = withSharedFields(readBody(json, task), shared);
  return { customId, body, model: readModel(body, task) };
}

function readCustomId(value: unknown, line: number): string {
  if (value === undefined) return defaultCustomId(line);
  if (!isCustomId(value))
    throw new LineFault(CUSTOM_ID_FAULT.message, CUSTOM_ID_FAULT.param, CUSTOM_ID_FAULT.code);
  return value;
}

/** Returns the fields of the body, in whichever form the request has. */
function readBody(json: Fields, task: BatchTask): Fields {
  const input = INPUT_FIELDS[task];
  const forms = ['text', input, 'body'].filter((name) => fieldOf(json, name) !== undefined);
  const [form] = forms;
  if (form === undefined || forms.length > 1)
    throw new LineFault(
      `A request needs exactly one of text, ${input} and body.`,
      form ?? 'text',
      form === undefined ? MISSING : undefined,
    );
  if (form === 'body') return readEnvelope(json, task);
  const { custom_id: _id, text, ...fields } = json;
  if (form === 'text') assertText(text);
  const body =
    form !== 'text'
      ? fields
      : task === 'chat'
        ? { ...fields, messages: [{ role: 'user', content: text }] }
        : { ...fields, input: text };
  return assertFields(body, task);
}

/** Reads a line in the format of OpenAI's files. */
function readEnvelope(json: Fields, task: BatchTask): Fields {
  const unknown = Object.keys(json).find((name) => !ENVELOPE.has(name));
  if (unknown !== undefined)
    throw new LineFault(`${unknown} is not a field of a request with a body.`, unknown);
  if (json['method'] !== 'POST') throw new LineFault('method must be POST.', 'method', 'invalid_method');
  if (json['url'] !== TASK_ENDPOINTS[task])
    throw new LineFault(
      `url must be ${TASK_ENDPOINTS[task]}, the route of the task ${task}.`,
      'url',
      'url_mismatch',
    );
  const body = json['body'];
  if (!isFields(body)) throw new LineFault('body must be a JSON object.', 'body', 'invalid_body');
  const input = INPUT_FIELDS[task];
  if (fieldOf(body, input) === undefined)
    throw new LineFault(`body needs ${input}.`, `body.${input}`, MISSING);
  return assertFields(body, task);
}

function assertText(text: unknown): void {
  if (typeof text !== 'string' || text.trim() === '')
    throw new LineFault('text must be a string that is not blank.', 'text');
}

/** Checks the fields that are read here. The route checks the others when it answers the request. */
function assertFields(body: Fields, task: BatchTask): Fields {
  const prompt = fieldOf(body, 'system_prompt');
  if (prompt !== undefined && task !== 'chat')
    throw new LineFault('system_prompt is for the task chat.', 'system_prompt');
  if (prompt !== undefined && (typeof prompt !== 'string' || prompt === ''))
    throw new LineFault('system_prompt must be a string that is not empty.', 'system_prompt');
  const messages = fieldOf(body, 'messages');
  if (task === 'chat' && !(Array.isArray(messages) && messages.length > 0))
    throw new LineFault('messages must be a list with at least one message.', 'messages');
  return body;
}

function readModel(body: Fields, task: BatchTask): string | undefined {
  const model = fieldOf(body, 'model');
  if (model === undefined) {
    if (task === 'embed')
      throw new LineFault('model is missing: embeddings have no default model.', 'model', MISSING);
    return undefined;
  }
  if (typeof model !== 'string' || model === '' || model.length > MAX_MODEL)
    throw new LineFault(`model must be a string of 1 to ${MAX_MODEL} characters.`, 'model');
  return model;
}
