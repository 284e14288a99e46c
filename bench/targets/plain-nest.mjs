/*
 * A typical chat route: a Nest controller with the official SDK, without authentication and accounting. The
 * decorators are called manually because there is no compiler; the effect is the same.
 */
import 'reflect-metadata';
import { Body, Controller, HttpCode, Module, Post, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import OpenAI from 'openai';

const client = new OpenAI({ apiKey: 'bench', baseURL: process.env.OPENAI_BASE_URL });

class ChatController {
  async complete(body, response) {
    if (!body.stream) {
      response.json(await client.chat.completions.create(body));
      return;
    }
    const stream = await client.chat.completions.create(body);
    response.setHeader('content-type', 'text/event-stream');
    response.setHeader('cache-control', 'no-cache');
    response.flushHeaders();
    for await (const chunk of stream) response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    response.write('data: [DONE]\n\n');
    response.end();
  }
}
const method = Object.getOwnPropertyDescriptor(ChatController.prototype, 'complete');
Post('chat/completions')(ChatController.prototype, 'complete', method);
HttpCode(200)(ChatController.prototype, 'complete', method);
Body()(ChatController.prototype, 'complete', 0);
Res()(ChatController.prototype, 'complete', 1);
Controller('v1')(ChatController);

class AppModule {}
Module({ controllers: [ChatController] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
console.log(`listening ${await app.getUrl()}`);
