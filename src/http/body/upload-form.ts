import type { Readable } from 'node:stream';
import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import { Busboy, type BusboyEvents, type BusboyInstance } from '@fastify/busboy';
import type { Request, Response } from 'express';
import { AppError, FileTooLargeError, InvalidRequestError } from '../../common/errors.js';
import { declaresForm } from '../guards/content-type.guard.js';
import { FORM_BYTES, MAX_FORM_FIELDS, MAX_FORM_FIELD_BYTES } from './body-size-limit.js';
import { withClientSignal } from '../response/response-stream.js';
import type { SchemaObject } from '../openapi/model-route-errors.js';
import { FormRoute } from '../context/route-metadata.js';

/** Limits for the headers of a form part: a file name of 255 characters fits even if each is escaped. */
const PART_HEADERS = { headerPairs: 8, headerSize: 8192 };

/** A file that is being uploaded. */
export interface IncomingFile {
  /** File name given by the client; may be any text. */
  readonly name: string;
  /** Media type declared by the client; may be any text. */
  readonly declaredType: string;
  /** Bounds of the size that the request declares, in bytes; undefined if it declares none. */
  readonly declaredSize: { readonly min: number; readonly max: number } | undefined;
  /** Text fields of the form, by name. Complete when the bytes have been read; until then those before the file. */
  readonly fields: ReadonlyMap<string, string>;
  /**
   * Content of the file, to be read once. Ends when the whole request has arrived and is valid; otherwise throws,
   * whatever the cause.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Aborts when reading the bytes fails, for example because the client disconnected; its reason is the error. */
  readonly signal: AbortSignal;
}

/** Parts that a form may have. */
export interface FormParts {
  /** Field of the file, which every form must have. */
  readonly field: string;
  /** Maximum size of the file, in bytes. */
  readonly maxBytes: number;
  /**
   * Text fields that the form may have, before or after the file, each once and with at most 4 KB; none by default. An empty
   * field is as none.
   */
  readonly textFields?: readonly string[];
  /** Maximum size of each text field, in bytes; 4 KB by default. */
  readonly maxFieldBytes?: number;
  /** True if other text fields are ignored instead of refused. */
  readonly ignoresOthers?: boolean;
}

/** A form that is being uploaded. Nothing of it is read until `receive` is called. */
export class UploadForm {
  constructor(
    private readonly request: Request,
    private readonly response: Response,
  ) {}

  /** True if the body of the request is a form; otherwise it is JSON. */
  get isForm(): boolean {
    return declaresForm(this.request);
  }

  /** The body of the request if it is JSON, as the client sent it. */
  get json(): unknown {
    const body: unknown = this.request.body;
    return body;
  }

  /**
   * Reads the form, which must have exactly one file, in the named field, and may have the named text fields. Only
   * bytes of the file that the consumer has not read yet are in memory.
   * @param keep processes the file; its result is returned
   * @throws InvalidRequestError, AppError `payload_too_large` above that many bytes, `request_cancelled` if the
   *   client disconnected, `unauthorized` if its access was revoked meanwhile, and whatever `keep` throws
   */
  receive<Kept>(options: FormParts, keep: (file: IncomingFile) => Promise<Kept>): Promise<Kept> {
    return this.read(options, async (form) => keep((await form.file) ?? form.refuseMissingFile()));
  }

  /**
   * Reads the form as `receive` does, but the file may be missing.
   * @returns the result for the file, if there is one, and the text fields by name
   */
  receiveOptional<Kept>(
    options: FormParts,
    keep: (file: IncomingFile) => Promise<Kept>,
  ): Promise<{ readonly kept: Kept | undefined; readonly fields: ReadonlyMap<string, string> }> {
    return this.read(options, async (form) => {
      const file = await form.file;
      return { kept: file && (await keep(file)), fields: form.fields };
    });
  }

  private read<Result>(
    options: FormParts,
    process: (form: IncomingForm) => Promise<Result>,
  ): Promise<Result> {
    return withClientSignal(this.response, async (gone) => {
      const form = new IncomingForm(this.request, options);
      const leave = (): void => {
        form.fail(new AppError('request_cancelled', 'The request was cancelled.'));
      };
      gone.addEventListener('abort', leave);
      try {
        if (gone.aborted) leave();
        return await process(form);
      } catch (error) {
        // First: it pauses the request, which would then never be read to its end.
        form.stop();
        this.dropRest();
        throw error;
      } finally {
        gone.removeEventListener('abort', leave);
        form.stop();
      }
    });
  }

  /**
   * Reads and discards the rest of a rejected request, because a client that is still sending may not read the
   * response before it has sent everything. If the length is unknown, closes the connection instead.
   */
  private dropRest(): void {
    if (this.request.complete || this.request.destroyed) return;
    const bounded = this.request.headers['transfer-encoding'] === undefined;
    if (!bounded && !this.response.headersSent) this.response.setHeader('Connection', 'close');
    this.request.resume();
  }
}

/** The parser of one form and its state. */
class IncomingForm {
  private readonly parser: BusboyInstance;
  private readonly first = Promise.withResolvers<IncomingFile | undefined>();
  private readonly whole = Promise.withResolvers<null>();
  /** Text fields by name, so far. */
  readonly fields = new Map<string, string>();
  private readonly failure = new AbortController();
  private stream: Readable | undefined;

  /** @throws InvalidRequestError if the form has no boundary */
  constructor(
    private readonly request: Request,
    private readonly options: FormParts,
  ) {
    // A failure is thrown to the reader of the bytes. There may be no reader yet, or none any more.
    this.first.promise.catch(() => undefined);
    this.whole.promise.catch(() => undefined);
    const refuse = (): void => {
      this.fail(this.unexpected());
    };
    this.parser = openParser(request, options)
      .on('file', (...part) => {
        this.take(...part);
      })
      .on('field', (...part) => {
        this.takeField(...part);
      })
      .on('fieldsLimit', refuse)
      .on('filesLimit', refuse)
      .on('partsLimit', refuse)
      .on('error', () => {
        this.fail(broken());
      })
      .on('finish', () => {
        // Has no effect if there was a file.
        this.first.resolve(undefined);
        this.whole.resolve(null);
      });
    request.pipe(this.parser);
  }

  /** The file, as soon as its part begins; undefined if the form has none. */
  get file(): Promise<IncomingFile | undefined> {
    return this.first.promise;
  }

  refuseMissingFile(): never {
    throw this.unexpected();
  }

  /** Aborts the form. If several failures occur, only the first one counts. */
  fail(error: AppError): void {
    this.stop();
    this.first.reject(error);
    this.whole.reject(error);
    this.stream?.destroy(error);
    this.failure.abort(error);
  }

  /** Stops reading the request. */
  stop(): void {
    this.request.unpipe(this.parser);
  }

  private take(...[field, stream, name, , declaredType]: Parameters<BusboyEvents['file']>): void {
    this.stream = stream;
    stream.on('error', () => {
      this.fail(broken());
    });
    if (field !== this.options.field) {
      this.fail(this.unexpected());
      return;
    }
    stream.once('limit', () => {
      this.fail(new FileTooLargeError(this.options.maxBytes));
    });
    this.first.resolve({
      name: unescaped(name),
      declaredType,
      declaredSize: declaredSize(this.request),
      fields: this.fields,
      bytes: this.bytesOf(stream),
      signal: this.failure.signal,
    });
  }

  private takeField(...[field, value, , isTruncated]: Parameters<BusboyEvents['field']>): void {
    const { textFields = [], ignoresOthers = false, maxFieldBytes = MAX_FORM_FIELD_BYTES } = this.options;
    if (!textFields.includes(field)) {
      if (!ignoresOthers) this.fail(this.unexpected());
      return;
    }
    const refuse = (problem: string): void => {
      const message = `${field} ${problem}`;
      this.fail(new InvalidRequestError(`${message}.`, [{ field, message }]));
    };
    if (isTruncated) refuse(`must not exceed ${maxFieldBytes} bytes`);
    else if (this.fields.has(field)) refuse('must be sent only once');
    // Forms of browsers send the fields that were left empty.
    else if (value !== '') this.fields.set(field, value);
  }

  private async *bytesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* stream;
    } catch (error) {
      // Prefer the error that made the form fail over the stream error that it caused.
      await this.whole.promise;
      throw error;
    }
    // Data after the file may still make the form invalid.
    await this.whole.promise;
  }

  private unexpected(): InvalidRequestError {
    const { field, textFields = [] } = this.options;
    const others = textFields.length === 0 ? '' : `, and besides it only the fields ${textFields.join(', ')}`;
    const message = `The form must have exactly one ${others === '' ? 'part, a ' : ''}file named "${field}"${others}`;
    return new InvalidRequestError(`${message}.`, [{ field, message }]);
  }
}

/** @throws InvalidRequestError if the form has no boundary */
function openParser({ headers }: Request, { maxBytes, ...parts }: FormParts): BusboyInstance {
  const { textFields = [], ignoresOthers = false, maxFieldBytes = MAX_FORM_FIELD_BYTES } = parts;
  const fields = ignoresOthers ? MAX_FORM_FIELDS : textFields.length;
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': headers['content-type'] ?? '' },
      limits: {
        ...PART_HEADERS,
        fileSize: maxBytes,
        files: 1,
        fields,
        fieldSize: maxFieldBytes,
        parts: 1 + fields,
      },
      isPartAFile: (_field, _type, name) => name !== undefined,
    });
  } catch {
    throw broken();
  }
}

/** Returns the bounds of the file's size by the declared length of the form; undefined if it declares none. */
function declaredSize({ headers }: Request): IncomingFile['declaredSize'] {
  const max = Number(headers['content-length']);
  if (headers['transfer-encoding'] !== undefined || !Number.isSafeInteger(max)) return undefined;
  return { min: Math.max(0, max - FORM_BYTES), max };
}

function broken(): InvalidRequestError {
  return new InvalidRequestError(
    'The form is malformed: it has no boundary, or ends before its last one. Let your HTTP client build the form.',
  );
}

/** Browsers escape only these three characters of a file name. https://html.spec.whatwg.org/#multipart-form-data */
function unescaped(name: string): string {
  return name.replaceAll(/%0A|%0D|%22/gi, decodeURIComponent);
}

/** Injects the form of a request into a parameter of a controller method. */
export const FileForm = createParamDecorator((_data: unknown, context: ExecutionContext): UploadForm => {
  const http = context.switchToHttp();
  return new UploadForm(http.getRequest<Request>(), http.getResponse<Response>());
});

/**
 * Makes the body of a route a form with one file, and documents it so that Swagger UI shows a file picker.
 * @param others schemas of the text fields that the form may have
 */
export function AcceptsFile(
  field: string,
  description: string,
  others: { readonly properties?: Record<string, SchemaObject>; readonly required?: readonly string[] } = {},
): MethodDecorator {
  return applyDecorators(
    FormRoute('only'),
    ApiConsumes('multipart/form-data'),
    ApiBody({
      required: true,
      schema: {
        type: 'object',
        required: [field, ...(others.required ?? [])],
        properties: { [field]: { type: 'string', format: 'binary', description }, ...others.properties },
      },
    }),
  );
}
