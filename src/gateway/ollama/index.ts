export { OLLAMA_ERROR_FORMAT } from './error-format.js';
export { OllamaGatewayModule } from './ollama-gateway.module.js';
