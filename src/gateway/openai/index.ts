export { OpenAiGatewayModule } from './openai-gateway.module.js';
