export type { ClientRotation, ClientRotationOptions } from '../../rotation/follow-secrets';
export { type AgentRecipe, createAgent, type HotAgent } from './create-agent';
