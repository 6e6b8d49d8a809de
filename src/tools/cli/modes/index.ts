/** The modes, each in a file of its own that is loaded when it is asked for: start-up time matters. */
import type { PlainMode, ServerMode } from '../call.ts'
import type { ModeName } from '../flag.ts'

/**
 * `as`: with whose rights a call of root's goes on once its configuration is read. `delivering` keeps a privileged
 * helper for deliveries under other uids, `routing` one for files of users; `itself` sees to it in its own way.
 */
type ModeRow =
  | { readonly needs: 'nothing'; load(): Promise<PlainMode> }
  | {
      readonly needs: 'server'
      readonly as: 'run-time user' | 'delivering' | 'routing' | 'itself'
      load(): Promise<ServerMode>
    }

export const modes: Readonly<Record<ModeName, ModeRow>> = {
  'accept-message': { needs: 'server', as: 'delivering', load: () => import('./accept-message.ts') },
  'address-test': { needs: 'server', as: 'routing', load: () => import('./address-test.ts') },
  'address-verify': { needs: 'server', as: 'routing', load: () => import('./address-verify.ts') },
  'batch-smtp': { needs: 'server', as: 'delivering', load: () => import('./batch-smtp.ts') },
  'build-information': { needs: 'server', as: 'itself', load: () => import('./build-information.ts') },
  'count-queue': { needs: 'server', as: 'run-time user', load: () => import('./count-queue.ts') },
  daemon: { needs: 'server', as: 'itself', load: () => import('./daemon.ts') },
  expand: { needs: 'server', as: 'itself', load: () => import('./expand.ts') },
  'filter-test': { needs: 'server', as: 'itself', load: () => import('./filter-test.ts') },
  help: { needs: 'nothing', load: () => import('./help.ts') },
  'host-check': { needs: 'server', as: 'delivering', load: () => import('./host-check.ts') },
  information: { needs: 'nothing', load: () => import('./information.ts') },
  'log-line': { needs: 'server', as: 'itself', load: () => import('./log-line.ts') },
  'malware-scan': { needs: 'server', as: 'run-time user', load: () => import('./malware-scan.ts') },
  'message-action': { needs: 'server', as: 'delivering', load: () => import('./message-action.ts') },
  'message-show': { needs: 'server', as: 'run-time user', load: () => import('./message-show.ts') },
  newaliases: { needs: 'server', as: 'itself', load: () => import('./newaliases.ts') },
  'print-options': { needs: 'server', as: 'itself', load: () => import('./print-options.ts') },
  'queue-list': { needs: 'server', as: 'run-time user', load: () => import('./queue-list.ts') },
  'queue-run': { needs: 'server', as: 'delivering', load: () => import('./queue-run.ts') },
  'remove-pid-file': { needs: 'server', as: 'itself', load: () => import('./remove-pid-file.ts') },
  'retry-test': { needs: 'server', as: 'run-time user', load: () => import('./retry-test.ts') },
  'rewrite-test': { needs: 'server', as: 'run-time user', load: () => import('./rewrite-test.ts') },
  'smtp-on-stdin': { needs: 'server', as: 'delivering', load: () => import('./smtp-on-stdin.ts') },
}
