export { AnthropicGatewayModule } from './anthropic-gateway.module.js';
export { ANTHROPIC_ERROR_FORMAT } from './errors.js';
