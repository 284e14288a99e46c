// can-connect.mjs <postgresql://… | redis://…>: exits 0 if a login succeeds, otherwise prints the reason and exits 1.
import { Redis } from 'ioredis';
import pg from 'pg';

const timeoutMs = 2000;

async function connectPostgres(connectionString) {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    await client.end();
  }
}

async function connectRedis(url) {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let cause;
  client.on('error', (error) => (cause = error));
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    throw cause ?? error;
  } finally {
    client.disconnect();
  }
}

const [url = ''] = process.argv.slice(2);
try {
  if (/^postgres(ql)?:/.test(url)) await connectPostgres(url);
  else if (/^rediss?:/.test(url)) await connectRedis(url);
  else throw new Error('usage: can-connect.mjs <postgresql://… | redis://…>');
} catch (error) {
  // If all addresses of a host name refuse the connection, the error is an AggregateError without a message.
  console.log(error.message || error.errors?.[0]?.message || error.code || String(error));
  process.exitCode = 1;
}
