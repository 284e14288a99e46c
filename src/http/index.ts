export {
  type ModelResponseHeaders,
  toModelResponseHeaders,
  setModelResponseHeaders,
} from './response/model-response-headers.js';
export { assertScope, AuthGuard } from './guards/auth.guard.js';
export { Authenticator, type Principal, type ScopeName, SCOPES } from './context/authenticator.js';
export { ClientErrorHandler } from './server/client-error.handler.js';
export { errorEntry, toErrorBody, toErrorObject } from './errors/error-body.dto.js';
export { ErrorFilter } from './errors/error.filter.js';
export { type ErrorFormat, ErrorFormats } from './errors/error-format.js';
export { configureHttp } from './http.setup.js';
export { type GeneratedDownload, sendGeneratedDownload } from './response/generated-download.js';
export { sendEventStream } from './response/sse.js';
export { ApiIdempotencyKey, IdempotencyKey, markReplayed } from './openapi/idempotency-key.js';
export { sendJsonStream } from './response/json-stream.js';
export { sendJsonText } from './response/json-text.js';
export { sendLineStream } from './response/ndjson.js';
export { withClientSignal } from './response/response-stream.js';
export { ShutdownGate } from './server/shutdown-gate.js';
export { RateLimitModule } from './guards/rate-limit.module.js';
export { HttpModule } from './http.module.js';
export { connectionLimits, TimeoutExpressAdapter } from './server/timeout-express.adapter.js';
export { ApiRequestExamples, type RequestExamples } from './openapi/request-examples.js';
export { toDocumentedSchema } from './openapi/documented-schema.js';
export { MODEL_ERRORS, type SchemaObject } from './openapi/model-route-errors.js';
export { ApiErrors, ApiErrorsOf, createOpenApiDocument } from './openapi/openapi.js';
export { accountKey, addressKey, RateLimitStorage } from './context/rate-limit.storage.js';
export { type RequestAdmission, type RateLimitState, RequestLimiter } from './context/request-limiter.js';
export { requestIdOf } from './context/request-id.js';
export { IsOptionalField } from './body/is-optional-field.js';
export { ApiPage, IdParams, type Page, PageQuery, toPage } from './response/page.js';
export { IsNotBlank, IsPlainObject, IsPlainText } from './body/text.validators.js';
export { ApiFileDownload, type FileDownload, sendFileDownload } from './response/file-download.js';
export { validateBody } from './body/validation.pipe.js';
export { FileForm, AcceptsFile, type FormParts, UploadForm } from './body/upload-form.js';
export { parseJsonText } from './body/json-limits.js';
export { SchemaPipe } from './body/json-schema.pipe.js';
export { Stateless } from './guards/stateless.guard.js';
export { CurrentActor, CurrentCaller, CurrentCredential, UserId } from './context/principal.js';
export { AdminOnly, FieldScope, FormRoute, ModelRoute, Public, Scope } from './context/route-metadata.js';
export { NoStoreInterceptor } from './guards/no-store.interceptor.js';
export { ANTHROPIC_VERSION, isAnthropicRequest } from './context/api-version.js';
