/** What routing has done under the ids of a user: lines in the logs of filters, programs of queryprogram routers. */
import { bareJob, runLocalJob } from '../flow/delivery/local-job.ts'
import type { QueryAnswer, UserNote, UserQuery } from '../flow/routing/index.ts'
import type { RunAs } from './privileged/run-as.ts'

/** The sentence of what went wrong, else undefined. */
export async function writeUserNote(note: UserNote, runAs: RunAs | undefined): Promise<string | undefined> {
  const { uid, gid, file, mode, text } = note
  const job = { ...bareJob, kind: 'note', file, mode, text } as const
  const result =
    runAs === undefined || isOurs(uid, gid)
      ? await runLocalJob(job, noBody())
      : await runAs(uid, gid, job, noBody())
  return result.is === 'done' ? undefined : result.message?.replace(`failed to write to ${file}: `, '')
}

/** A line of the answer is all that counts. */
const mostOutputBytes = 4096
/** Even without a limit of its own a program does not hold an address for ever. */
const longestMs = 3600 * 1000

/** What the program writes to its standard output; its errors are nobody's. */
export async function runUserQuery(query: UserQuery, runAs: RunAs | undefined): Promise<QueryAnswer> {
  const { uid, gid, argv, currentDirectory } = query
  const timeoutMs = query.timeoutMs === 0 ? longestMs : query.timeoutMs
  const job = {
    ...bareJob,
    kind: 'pipe',
    currentDirectory,
    umask: 0o22,
    argv: ['/bin/sh', '-c', 'exec "$0" "$@" 2>/dev/null', ...argv],
    environment: { PATH: '/bin:/usr/bin' },
    timeoutMs,
    maxOutputBytes: mostOutputBytes,
    transportName: 'queryprogram',
    commandText: argv[0] ?? '',
    ignoreStatus: false,
    temporaryCodes: [],
    timeoutDefer: false,
    freezeExecFail: false,
    freezeSignal: false,
  } as const
  const startedAt = Date.now()
  const result =
    runAs === undefined || isOurs(uid, gid)
      ? await runLocalJob(job, noBody())
      : await runAs(uid, gid, job, noBody())
  if (result.is === 'done') return { is: 'ended', output: result.output ?? '' }
  if (Date.now() - startedAt >= timeoutMs) {
    return { is: 'failed', message: 'command timed out' }
  }
  const code = / returned (\d+)\b/.exec(result.message)?.[1]
  if (code !== undefined) return { is: 'failed', message: `command returned non-zero code ${code}` }
  const signal = / terminated by signal (\d+)\b/.exec(result.message)?.[1]
  return {
    is: 'failed',
    message: signal === undefined ? result.message : `command killed by signal ${signal}`,
  }
}

function isOurs(uid: number, gid: number): boolean {
  return process.getuid?.() === uid && process.getgid?.() === gid
}

async function* noBody(): AsyncIterable<Uint8Array> {}
