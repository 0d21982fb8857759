export type { ClientRotation, ClientRotationOptions } from '../../rotation/client';
export type { UndiciModule } from './agent-state';
export {
  type CreateDispatcherOptions,
  createDispatcher,
  type DispatcherRecipe,
  type HotDispatcher,
} from './create-dispatcher';
