export { OpenAiEndpointsModule } from './openai-endpoints.module.js';
export { OpenAiGatewayModule } from './openai-gateway.module.js';
