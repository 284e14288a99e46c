import { applyDecorators, type INestApplication } from '@nestjs/common';
import { ApiResponse, DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { ErrorCode } from '../../common/errors.js';
import { ErrorBody } from '../errors/error-body.dto.js';
import { ERROR_TABLE } from '../errors/error-table.js';
import { emptyFormFields } from './swagger-ui-plugin.js';

/** Error codes that every route can return. */
const EVERYWHERE: readonly ErrorCode[] = [
  'invalid_request',
  'rate_limit_exceeded',
  'internal_error',
  'service_unavailable',
];

/** The format of a route's errors in the documentation. */
export interface ErrorShape {
  /** Name of the body's schema, for `#/components/schemas/<name>`. */
  readonly schema: string;
  readonly example: (code: ErrorCode, meaning: string) => object;
}

const OWN_SHAPE: ErrorShape = {
  schema: ErrorBody.name,
  example: (code, message) => ({
    error: { code, message, type: ERROR_TABLE[code].type, param: null },
    request_id: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11',
  }),
};

/**
 * Documents the errors of a route: one response per status, listing the codes that share it with an example for each.
 */
export function ApiErrors(...codes: readonly ErrorCode[]): MethodDecorator {
  return ApiErrorsOf(OWN_SHAPE, ...codes);
}

/** Documents the errors of a route whose API format has its own error body. */
export function ApiErrorsOf(shape: ErrorShape, ...codes: readonly ErrorCode[]): MethodDecorator {
  // Every route that accepts credentials accepts API keys.
  const ofKeys: readonly ErrorCode[] = codes.includes('unauthorized')
    ? ['invalid_api_key', 'insufficient_scope']
    : [];
  const byStatus = Map.groupBy(
    new Set([...codes, ...ofKeys, ...EVERYWHERE]),
    (code) => ERROR_TABLE[code].status,
  );
  const exampleOf = (code: ErrorCode) => ({ value: shape.example(code, ERROR_TABLE[code].meaning) });
  const responses = Array.from(byStatus, ([status, group]) =>
    ApiResponse({
      status,
      description: group.map((code) => `\`${code}\`: ${ERROR_TABLE[code].meaning}`).join('\n\n'),
      content: {
        'application/json': {
          schema: { $ref: `#/components/schemas/${shape.schema}` },
          examples: Object.fromEntries(group.map((code) => [code, exampleOf(code)])),
        },
      },
    }),
  );
  return applyDecorators(...responses);
}

/** Creates the OpenAPI document of an application. */
export function createOpenApiDocument(app: INestApplication, version: string): OpenAPIObject {
  const description = [
    'A self-hosted chat API for any model provider. Every message is stored before it is sent to a model, so nothing',
    'you write is ever lost; answers stream over Server-Sent Events.',
    '',
    'Register, log in, click **Authorize** and paste the access token.',
  ].join('\n');
  const base = new DocumentBuilder()
    .setTitle('Parley')
    .setDescription(description)
    .setVersion(version)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/', 'This server')
    .addBearerAuth(
      {
        type: 'http',
        scheme: 'bearer',
        description: 'An access token from `/api/v1/auth/login`, or an API key.',
      },
      'bearer',
    )
    .addApiKey(
      { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key from `/api/v1/api-keys`.' },
      'api_key',
    )
    .addSecurityRequirements('bearer')
    .addSecurityRequirements('api_key')
    .addTag('chat', 'Send messages to a model and read its answers')
    .addTag('conversations', 'Conversations, messages and branches')
    .addTag('files', 'Uploaded files')
    .addTag('retrieval', 'Collections of documents, search, and answers with citations')
    .addTag('batches', 'Many requests, answered in the background')
    .addTag('analysis', 'Questions about documents')
    .addTag('webhooks', 'Notifications of events, with signatures and retries')
    .addTag('shares', 'Conversations shared by link')
    .addTag('usage', 'Token usage and cost')
    .addTag('openai', 'OpenAI-compatible API')
    .addTag('anthropic', 'Anthropic-compatible API')
    .addTag('ollama', 'Ollama API, passed through to the configured server')
    .addTag('auth', 'Registration, login and tokens')
    .addTag('users', 'Your account, and all accounts for admins')
    .addTag('api-keys', 'API keys for programs')
    .addTag('provider-keys', 'Your own keys for model providers')
    .addTag('audit-log', 'Audit log of accounts')
    .addTag('admin', 'Administration of the server')
    .addTag('service', 'Service information and health')
    .build();
  return SwaggerModule.createDocument(app, base, {
    extraModels: [ErrorBody],
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
}

/** Serves Swagger UI at `/docs`, and the document at `/docs-json` and `/docs-yaml`. */
export function serveOpenApi(app: INestApplication, version: string): void {
  SwaggerModule.setup('docs', app, () => createOpenApiDocument(app, version), {
    jsonDocumentUrl: 'docs-json',
    yamlDocumentUrl: 'docs-yaml',
    customSiteTitle: 'Parley API',
    swaggerOptions: {
      persistAuthorization: true,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      plugins: [emptyFormFields],
    },
  });
}
