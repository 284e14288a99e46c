import { AppError } from '../../common/errors.js';

const UNAVAILABLE = 'The file storage is unavailable. Try again in a few seconds.';

/** Node's codes of a connection that could not be made or was lost. */
const CONNECTION_CODE =
  /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ERR_STREAM_PREMATURE_CLOSE)$/;

/** Reports that the store cannot be reached or does not work now. What was stored before is not affected. */
export class StorageUnavailableError extends AppError {
  constructor(cause: unknown) {
    super('service_unavailable', UNAVAILABLE, { cause, retryAfterMs: 2000 });
  }
}

/** Reports an upload that lost its memory to others because its client was too slow. */
export class SlowUploadError extends AppError {
  constructor() {
    super(
      'request_timeout',
      'The file arrived too slowly while other uploads waited for memory. Send it again.',
    );
  }
}

/** Reports that there is no content under a key. Trying again does not help. */
export class MissingContentError extends Error {
  override readonly name = 'MissingContentError';

  /** @param cause description of the failure, which names no object */
  constructor(cause?: unknown) {
    super('The file storage has no such content.', { cause });
  }
}

/**
 * Describes a failed request to the store for the log. It has nothing else of the SDK's error, which may contain the
 * name of the object, the id of the access key, and the signed request.
 */
export class StorageRequestError extends Error {
  constructor(
    operation: string,
    /** Name of the error in S3, for example `NoSuchKey`. */
    readonly reason: string,
    /** HTTP status of the response; undefined if there was none. */
    readonly status: number | undefined,
    detail: string,
  ) {
    super(`${operation} failed: ${reason}${detail === '' ? '' : ` (${detail})`}`);
    this.name = 'StorageRequestError';
  }
}

/**
 * Converts what the SDK threw: StorageUnavailableError for a failure of the network or of the store (429 and 5xx),
 * otherwise StorageRequestError, because trying again does not help.
 */
export function toStorageError(
  error: unknown,
  operation: string,
): StorageUnavailableError | StorageRequestError {
  if (error instanceof StorageUnavailableError || error instanceof StorageRequestError) return error;
  const { name, message, code, status } = factsOf(error);
  const detail = status !== undefined && status >= 300 ? `HTTP ${status}` : message;
  const cause = new StorageRequestError(operation, code ?? name, status, detail);
  return isUnavailability({ name, code, status }) ? new StorageUnavailableError(cause) : cause;
}

/**
 * Sends a request to the store.
 * @throws StorageUnavailableError or StorageRequestError
 */
export async function callStore<Result>(operation: string, send: () => Promise<Result>): Promise<Result> {
  try {
    return await send();
  } catch (error) {
    throw toStorageError(error, operation);
  }
}

interface ErrorFacts {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly status: number | undefined;
}

function factsOf(error: unknown): ErrorFacts {
  if (!(error instanceof Error)) return { name: 'Error', message: '', code: undefined, status: undefined };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const metadata = '$metadata' in error ? error.$metadata : undefined;
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? metadata.httpStatusCode
      : undefined;
  return {
    name: error.name,
    message: error.message,
    code,
    status: typeof status === 'number' ? status : undefined,
  };
}

function isUnavailability({ name, code, status }: Omit<ErrorFacts, 'message'>): boolean {
  // A response of 200 whose body cannot be read was cut off; S3 also reports errors in such a body.
  if (status !== undefined && status >= 300) return status === 429 || (status >= 500 && status !== 501);
  return (
    status !== undefined || name === 'TimeoutError' || (code !== undefined && CONNECTION_CODE.test(code))
  );
}
