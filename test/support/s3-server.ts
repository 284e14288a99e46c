import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Config } from '../../src/config/index.js';

/** Credentials that the server of the test run accepts, as it accepts any. */
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

/** Memory for parts of uploads, in bytes: the default of the setting. */
const BUFFER_BYTES = 160 * 2 ** 20;

/** A new, empty bucket on the S3-compatible server of the test run. Its content is in memory and ends with the run. */
export interface TestBucket {
  readonly config: S3Config & { readonly endpoint: string };
  /** Environment variables of an application that stores files there. */
  readonly settings: Readonly<Record<string, string>>;
  /** A client of the same server, to look at what is stored. */
  readonly client: S3Client;
}

/**
 * Creates a bucket.
 * @throws Error if the run provides no server
 */
export async function createTestBucket(): Promise<TestBucket> {
  const endpoint = process.env['TEST_S3_URL'];
  if (endpoint === undefined) throw new Error('TEST_S3_URL is not set: run the tests with `npm test`.');
  const config = {
    bucket: `parley-${randomBytes(8).toString('hex')}`,
    endpoint,
    region: 'us-east-1',
    uploadBufferBytes: BUFFER_BYTES,
  };
  const client = new S3Client({
    region: config.region,
    endpoint,
    forcePathStyle: true,
    credentials: CREDENTIALS,
  });
  await client.send(new CreateBucketCommand({ Bucket: config.bucket }));
  return {
    config,
    client,
    settings: {
      S3_BUCKET: config.bucket,
      S3_ENDPOINT: endpoint,
      S3_REGION: config.region,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    },
  };
}
