import { join } from 'node:path';
import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Response } from 'express';
import { PACKAGE_ROOT } from '../../config/index.js';
import { Public } from '../context/route-metadata.js';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Parley API</title>
    <style>body { margin: 0 }</style>
  </head>
  <body>
    <redoc spec-url="/docs-json"></redoc>
    <script src="/redoc/redoc.standalone.js"></script>
  </body>
</html>
`;

/** Serves the API reference with ReDoc from our own server: nothing is loaded from elsewhere. */
@Public()
@ApiExcludeController()
@Controller('redoc')
export class RedocController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  page(): string {
    return PAGE;
  }

  @Get('redoc.standalone.js')
  script(@Res() response: Response): void {
    response.sendFile(join(PACKAGE_ROOT, 'dist', 'assets', 'redoc.standalone.js'), { maxAge: '1d' });
  }
}
