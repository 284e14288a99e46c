import type { Readable } from 'node:stream';
import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import { Busboy, type BusboyEvents, type BusboyInstance } from '@fastify/busboy';
import type { Request, Response } from 'express';
import { AppError, InvalidRequestError } from '../../common/errors.js';
import { tooLargeFile } from './body-size-limit.js';
import { withClientSignal } from '../response/response-stream.js';
import { FormRoute } from '../context/route-metadata.js';

/** Limits for the headers of a form part: a file name of 255 characters fits even if each is escaped. */
const PART_HEADERS = { headerPairs: 8, headerSize: 8192 };

/** A file that is being uploaded. */
export interface IncomingFile {
  /** File name given by the client; may be any text. */
  readonly name: string;
  /** Media type declared by the client; may be any text. */
  readonly declaredType: string;
  /**
   * Content of the file, to be read once. Ends when the whole request has arrived and is valid; otherwise throws,
   * whatever the cause.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** A form that is being uploaded. Nothing of it is read until `receive` is called. */
export class UploadForm {
  constructor(
    private readonly request: Request,
    private readonly response: Response,
  ) {}

  /**
   * Reads the form, which must have exactly one part: a file in the named field. Only bytes that the consumer has not
   * read yet are in memory.
   * @param keep processes the file; its result is returned
   * @throws InvalidRequestError, AppError `payload_too_large` above that many bytes, `request_cancelled` if the
   *   client disconnected, `unauthorized` if its access was revoked meanwhile, and whatever `keep` throws
   */
  receive<Kept>(
    options: { readonly field: string; readonly maxBytes: number },
    keep: (file: IncomingFile) => Promise<Kept>,
  ): Promise<Kept> {
    return withClientSignal(this.response, async (gone) => {
      const form = new IncomingForm(this.request, options);
      const leave = (): void => {
        form.fail(new AppError('request_cancelled', 'The request was cancelled.'));
      };
      gone.addEventListener('abort', leave);
      try {
        if (gone.aborted) leave();
        return await keep(await form.file);
      } catch (error) {
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
  private readonly first = Promise.withResolvers<IncomingFile>();
  private readonly whole = Promise.withResolvers<null>();
  private stream: Readable | undefined;

  /** @throws InvalidRequestError if the form has no boundary */
  constructor(
    private readonly request: Request,
    private readonly options: { readonly field: string; readonly maxBytes: number },
  ) {
    // A failure is thrown to the reader of the bytes. There may be no reader yet, or none any more.
    this.first.promise.catch(() => undefined);
    this.whole.promise.catch(() => undefined);
    const refuse = (): void => {
      this.fail(this.unexpected());
    };
    this.parser = openParser(request, options.maxBytes)
      .on('file', (...part) => {
        this.take(...part);
      })
      .on('fieldsLimit', refuse)
      .on('filesLimit', refuse)
      .on('partsLimit', refuse)
      .on('error', () => {
        this.fail(broken());
      })
      .on('finish', () => {
        // Has no effect if there was a file.
        this.first.reject(this.unexpected());
        this.whole.resolve(null);
      });
    request.pipe(this.parser);
  }

  /** The file, as soon as its part begins. */
  get file(): Promise<IncomingFile> {
    return this.first.promise;
  }

  /** Aborts the form. If several failures occur, only the first one counts. */
  fail(error: AppError): void {
    this.stop();
    this.first.reject(error);
    this.whole.reject(error);
    this.stream?.destroy(error);
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
      this.fail(new AppError('payload_too_large', tooLargeFile(this.options.maxBytes)));
    });
    this.first.resolve({ name: unescaped(name), declaredType, bytes: this.bytesOf(stream) });
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
    const { field } = this.options;
    const message = `The form must have exactly one part, a file named "${field}"`;
    return new InvalidRequestError(`${message}.`, [{ field, message }]);
  }
}

/** @throws InvalidRequestError if the form has no boundary */
function openParser({ headers }: Request, maxBytes: number): BusboyInstance {
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': headers['content-type'] ?? '' },
      limits: { ...PART_HEADERS, fileSize: maxBytes, files: 1, fields: 0, parts: 1 },
      isPartAFile: (_field, _type, name) => name !== undefined,
    });
  } catch {
    throw broken();
  }
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

/** Makes the body of a route a form with one file, and documents it so that Swagger UI shows a file picker. */
export function AcceptsFile(field: string, description: string): MethodDecorator {
  return applyDecorators(
    FormRoute(),
    ApiConsumes('multipart/form-data'),
    ApiBody({
      required: true,
      schema: {
        type: 'object',
        required: [field],
        properties: { [field]: { type: 'string', format: 'binary', description } },
      },
    }),
  );
}
