/** What is begun where no descriptor is left, and what comes of it: FOLDER. */
import { closeSync, openSync, readdirSync, readlinkSync, writeSync } from 'node:fs'
import { deliverToPipe } from '../../src/flow/delivery/local/pipe.ts'
import { filteredWhole } from '../../src/flow/delivery/local/transport-filter.ts'
import { runProgram } from '../../src/language/expand/doors/run.ts'
import { cmdline } from '../../src/policy/scanning/malware/cmdline.ts'
import { openSpool } from '../../src/store/spool/index.ts'
import { pipeTo } from './local-jobs.ts'
import { addMessage } from './spool-world.ts'

const directory = process.argv[2] ?? ''
const spool = await openSpool({ directory, now: Date.now, log: () => undefined, careMs: 1_000_000 })
const used: number[] = []

function useAll(): void {
  try {
    for (;;) used.push(openSync('/dev/null', 'r'))
  } catch {
    // None is left.
  }
}

function free(count: number): void {
  for (const fd of used.splice(0, count)) closeSync(fd)
}

/** The first message needs a segment, and to sync its folder: there is a descriptor for one of both. */
async function commit(): Promise<unknown> {
  free(1)
  const refused = await addMessage(spool).catch((error: unknown) => String(error))
  free(5)
  const open = readdirSync('/proc/self/fd').flatMap((fd) => linkOf(fd))
  useAll()
  return [refused.slice(0, 50), open.filter((path) => path.startsWith(`${directory}/segments/`)).length]
}

function linkOf(fd: string): string[] {
  try {
    return [readlinkSync(`/proc/self/fd/${fd}`)]
  } catch {
    return []
  }
}

async function scan(): Promise<unknown> {
  const said: string[] = []
  const request = {
    options: ['true', 'virus', '(virus)'],
    complain: (line: string) => void said.push(line),
    copy: { file: () => Promise.resolve(''), folder: '/tmp' },
    timeoutMs: 1000,
  }
  // The parts of a request that it looks at.
  await cmdline.scan(request as unknown as Parameters<typeof cmdline.scan>[0])
  return said
}

async function* nothing(): AsyncIterable<Uint8Array> {}

const program = { program: '/bin/true', argv: [], environment: {}, timeoutMs: 1000, outputLimitBytes: 10 }
const attempts: Readonly<Record<string, () => Promise<unknown>>> = {
  commit,
  run: () => runProgram({ ...program, signal: undefined }),
  pipe: () => deliverToPipe(pipeTo('true') as Parameters<typeof deliverToPipe>[0], nothing()),
  scanner: scan,
  filter: () => filteredWhole({ argv: ['/bin/cat'], timeoutMs: 1000 }, nothing(), 10),
}

useAll()
for (const [name, attempt] of Object.entries(attempts)) {
  const result = await attempt().catch((error: unknown) => String(error))
  writeSync(1, `${name} ${JSON.stringify(result)}\n`)
}
free(used.length)
await spool.close()
