/** Local deliveries as jobs, for tests of the processes that run them. */
import { bareJob, type LocalJob } from '../../src/flow/delivery/local-job.ts'

/** The message goes to a shell that runs the command. */
export function pipeTo(command: string): LocalJob {
  return {
    ...bareJob,
    kind: 'pipe',
    argv: ['/bin/sh', '-c', command],
    environment: { PATH: '/usr/bin:/bin' },
    timeoutMs: 10_000,
    maxOutputBytes: 1000,
    transportName: 'pipe',
    commandText: command,
    ignoreStatus: false,
    temporaryCodes: [],
    timeoutDefer: false,
    freezeExecFail: false,
    freezeSignal: false,
  }
}
