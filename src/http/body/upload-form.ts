import type { Readable } from 'node:stream';
import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import { Busboy, type BusboyEvents, type BusboyInstance } from '@fastify/busboy';
import type { Request, Response } from 'express';
import { AppError, InvalidRequestError } from '../../common/errors.js';
import { tooLargeFile } from './body-size-limit.js';
import { withClientSignal } from '../response/response-stream.js';
import { FormRoute } from '../context/route-metadata.js';

/** The headers of a part of a form: a name of 255 characters, each escaped, has room in them. */
const PART_HEADERS = { headerPairs: 8, headerSize: 8192 };

/** A file on its way in. */
export interface IncomingFile {
  /** As its sender calls it: anything. */
  readonly name: string;
  /** What its sender says that it is: anything. */
  readonly declaredType: string;
  /** They end when the whole request has come and was good; else they throw, whoever is to blame. To be read once. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** A form that is being sent, of which nothing is read before it is wanted. */
export class UploadForm {
  constructor(
    private readonly request: Request,
    private readonly response: Response,
  ) {}

  /**
   * Reads the form, which must have one part: a file in the named field. Never more of it is in memory than what the
   * reader of the bytes has not taken yet.
   * @param keep what is done with the file; its result is given back
   * @throws InvalidRequestError, AppError `payload_too_large` above that many bytes, `request_cancelled` where the client
   *   left, `unauthorized` where it was shut out meanwhile, and what `keep` throws
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
   * What is left of a request that is refused is read and dropped, because a client that is still sending may not look
   * at its answer before it has sent all. Where it does not say how much that is, its connection is closed instead.
   */
  private dropRest(): void {
    if (this.request.complete || this.request.destroyed) return;
    const bounded = this.request.headers['transfer-encoding'] === undefined;
    if (!bounded && !this.response.headersSent) this.response.setHeader('Connection', 'close');
    this.request.resume();
  }
}

/** The parser of one form, and how it goes. */
class IncomingForm {
  private readonly parser: BusboyInstance;
  private readonly first = Promise.withResolvers<IncomingFile>();
  private readonly whole = Promise.withResolvers<null>();
  private stream: Readable | undefined;

  /** @throws InvalidRequestError where the form has no boundary */
  constructor(
    private readonly request: Request,
    private readonly options: { readonly field: string; readonly maxBytes: number },
  ) {
    // A failure is thrown where the bytes are read. Nobody may be reading yet, or any more.
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
        // Without effect where there was a file.
        this.first.reject(this.unexpected());
        this.whole.resolve(null);
      });
    request.pipe(this.parser);
  }

  /** The file, when it begins. */
  get file(): Promise<IncomingFile> {
    return this.first.promise;
  }

  /** Gives the form up. Of several failures the first one counts. */
  fail(error: AppError): void {
    this.stop();
    this.first.reject(error);
    this.whole.reject(error);
    this.stream?.destroy(error);
  }

  /** Reads nothing more of the request. */
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
      // What broke the form says more than what that did to the stream.
      await this.whole.promise;
      throw error;
    }
    // A file may be followed by what makes the form a bad one.
    await this.whole.promise;
  }

  private unexpected(): InvalidRequestError {
    const { field } = this.options;
    const message = `The form must have exactly one part, a file named "${field}"`;
    return new InvalidRequestError(`${message}.`, [{ field, message }]);
  }
}

/** @throws InvalidRequestError where the form has no boundary */
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

/** Browsers escape these three characters of a name, and no others. https://html.spec.whatwg.org/#multipart-form-data */
function unescaped(name: string): string {
  return name.replaceAll(/%0A|%0D|%22/gi, decodeURIComponent);
}

/** The form of a request, as a parameter of a controller method. */
export const FileForm = createParamDecorator((_data: unknown, context: ExecutionContext): UploadForm => {
  const http = context.switchToHttp();
  return new UploadForm(http.getRequest<Request>(), http.getResponse<Response>());
});

/** Makes the body of a route a form with one file, and documents it so that Swagger UI lets one choose the file. */
export function TakesFile(field: string, description: string): MethodDecorator {
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
