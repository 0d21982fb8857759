export type { ClientRotation, ClientRotationOptions } from '../../rotation/follow-secrets';
export {
  type CreateDispatcherOptions,
  createDispatcher,
  type DispatcherRecipe,
  type HotDispatcher,
} from './create-dispatcher';
export type { UndiciModule } from './dispatcher-generation';
