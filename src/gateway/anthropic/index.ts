export { AnthropicGatewayModule } from './anthropic-gateway.module.js';
export { ANTHROPIC_ERRORS } from './errors.js';
