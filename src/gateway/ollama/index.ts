export { OLLAMA_ERROR_WIRE } from './error-wire.js';
export { OllamaGatewayModule } from './ollama-gateway.module.js';
