import { optionalText, optionalUrl, optionalWholeNumber, textSetting, wholeNumber } from './setting.js';

/** The settings of file storage and of text extraction. */
export const DOCUMENT_SETTINGS = {
  MAX_UPLOAD_MB: wholeNumber({
    default: 32,
    min: 1,
    max: 1024,
    description:
      'Maximum size of an uploaded file, and of the body of an import or of a request to a compatible route, in megabytes',
  }),
  BATCH_MAX_INPUT_MB: wholeNumber({
    default: 200,
    min: 1,
    max: 1024,
    description: 'Maximum size of an uploaded file whose purpose is `batch`, in megabytes',
  }),
  BATCH_CONCURRENCY: wholeNumber({
    default: 16,
    min: 1,
    max: 256,
    description:
      'Maximum number of requests of batches that a process which runs jobs sends at once, beside the limits of the accounts and of each provider',
  }),
  QUOTA_STORAGE_MB: optionalWholeNumber({
    min: 1,
    max: 1_000_000_000,
    description: 'Maximum stored files per user, in megabytes; equal contents count once',
  }),
  S3_BUCKET: optionalText({
    description:
      'Bucket of an S3-compatible store for uploaded files, so that several machines share them; if unset, they are in `DATA_DIR`. Credentials come from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or from the other sources of the AWS SDK',
  }),
  S3_ENDPOINT: optionalUrl({
    schemes: ['http', 'https'],
    description: 'URL of the S3-compatible store; if unset, that of AWS',
  }),
  S3_REGION: textSetting({ default: 'us-east-1', description: 'Region of the bucket' }),
  UPLOAD_BUFFERS_MAX_MB: wholeNumber({
    default: 160,
    min: 5,
    max: 65_536,
    description:
      'Maximum memory of one process for parts of files on their way to the bucket, in megabytes; an upload needs 5 or 10, and one account has at most an eighth. Further uploads wait',
  }),
  EXTRACTION_PROCESSES: optionalWholeNumber({
    min: 1,
    max: 64,
    description:
      'Processes that extract the text of documents, per process that runs jobs; if unset, the number of processors minus one, at least 1',
  }),
  EXTRACTION_TIMEOUT_S: wholeNumber({
    default: 60,
    min: 1,
    max: 3600,
    description: 'Maximum time for extracting the text of a document, in seconds',
  }),
  EXTRACTION_MEMORY_MB: wholeNumber({
    default: 200,
    min: 50,
    max: 16_384,
    description: 'Maximum memory for extracting the text of a document, in megabytes',
  }),
  EXTRACTION_MAX_PAGES: wholeNumber({
    default: 2000,
    min: 1,
    max: 100_000,
    description: 'Maximum pages of a document whose text is extracted',
  }),
  EXTRACTION_MAX_CHARACTERS: wholeNumber({
    default: 20_000_000,
    min: 1000,
    max: 200_000_000,
    description: 'Maximum characters of the text of a document',
  }),
  EXTRACTION_MAX_ENTRIES: wholeNumber({
    default: 1000,
    min: 1,
    max: 100_000,
    description: 'Maximum entries of a document that is an archive, such as DOCX',
  }),
  EXTRACTION_MAX_INFLATED_MB: wholeNumber({
    default: 200,
    min: 1,
    max: 16_384,
    description: 'Maximum size of the decompressed content of a document, in megabytes',
  }),
};
