/* The minimum that anything in between can do: Node's own server and client, with the bytes passed through. */
import { Agent, createServer, request as ask } from 'node:http';

const upstream = new URL(process.env.OPENAI_BASE_URL);
const agent = new Agent({ keepAlive: true, maxFreeSockets: 2048 });

const server = createServer((request, response) => {
  const forwarded = ask(
    {
      host: upstream.hostname,
      port: upstream.port,
      path: request.url,
      method: request.method,
      headers: { ...request.headers, host: upstream.host },
      agent,
    },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    },
  );
  forwarded.on('error', () => response.destroy());
  response.on('close', () => forwarded.destroy());
  request.pipe(forwarded);
});
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', 4096, () => {
  console.log(`listening http://127.0.0.1:${server.address().port}`);
});
