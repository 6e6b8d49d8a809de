/** The modes, each in a file of its own that is loaded when it is asked for: start-up time matters. */
import type { PlainMode, ServerMode } from '../call.ts'
import type { ModeName } from '../flag.ts'

type ModeRow =
  | { readonly needs: 'nothing'; load(): Promise<PlainMode> }
  | { readonly needs: 'server'; load(): Promise<ServerMode> }

export const modes: Readonly<Record<ModeName, ModeRow>> = {
  'accept-message': { needs: 'server', load: () => import('./accept-message.ts') },
  'address-test': { needs: 'server', load: () => import('./address-test.ts') },
  'address-verify': { needs: 'server', load: () => import('./address-verify.ts') },
  'batch-smtp': { needs: 'server', load: () => import('./batch-smtp.ts') },
  'build-information': { needs: 'server', load: () => import('./build-information.ts') },
  'count-queue': { needs: 'server', load: () => import('./count-queue.ts') },
  daemon: { needs: 'server', load: () => import('./daemon.ts') },
  expand: { needs: 'server', load: () => import('./expand.ts') },
  help: { needs: 'nothing', load: () => import('./help.ts') },
  'host-check': { needs: 'server', load: () => import('./host-check.ts') },
  information: { needs: 'nothing', load: () => import('./information.ts') },
  'message-action': { needs: 'server', load: () => import('./message-action.ts') },
  'message-show': { needs: 'server', load: () => import('./message-show.ts') },
  newaliases: { needs: 'server', load: () => import('./newaliases.ts') },
  'print-options': { needs: 'server', load: () => import('./print-options.ts') },
  'queue-list': { needs: 'server', load: () => import('./queue-list.ts') },
  'queue-run': { needs: 'server', load: () => import('./queue-run.ts') },
  'retry-test': { needs: 'server', load: () => import('./retry-test.ts') },
  'rewrite-test': { needs: 'server', load: () => import('./rewrite-test.ts') },
  'smtp-on-stdin': { needs: 'server', load: () => import('./smtp-on-stdin.ts') },
}
