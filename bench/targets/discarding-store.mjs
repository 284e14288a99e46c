// An S3-compatible store that reads what it is sent and stores nothing, so that its memory and speed are no limit.
import { createServer } from 'node:http';

const send = (response, body = '') => response.writeHead(200, { ETag: '"0"' }).end(body);

const server = createServer((request, response) => {
  request.resume().once('end', () => {
    const { searchParams } = new URL(request.url ?? '/', 'http://store');
    if (request.method === 'DELETE') response.writeHead(204).end();
    else if (searchParams.has('uploads'))
      send(
        response,
        '<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>',
      );
    else if (request.method === 'POST')
      send(response, '<CompleteMultipartUploadResult><ETag>"0"</ETag></CompleteMultipartUploadResult>');
    else send(response);
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null)
    console.log(`listening http://127.0.0.1:${address.port}`);
});
process.once('SIGTERM', () => process.exit(0));
