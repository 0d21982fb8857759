export type { ClientRotation, ClientRotationOptions } from '../../rotation/client';
export { type AgentRecipe, createAgent, type HotAgent } from './create-agent';
