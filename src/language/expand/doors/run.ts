/** The door to commands: one program, no shell, bounded in time and output. */
import { spawn } from 'node:child_process'
import { fromBytes, toBytes } from '../../../base/text.ts'
import type { CommandRequest, CommandResult } from './doors.ts'

/** The command may be there, and start later. */
const nothingLeft: ReadonlySet<string> = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'])

export function runProgram(request: CommandRequest): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(
      request.program,
      request.argv.map((argument) => toBytes(argument).toString('utf8')),
      {
        stdio: [request.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
        detached: true,
        env: { ...request.environment },
      },
    )
    const chunks: Buffer[] = []
    let size = 0
    const end = (result: CommandResult) => {
      clearTimeout(timer)
      request.signal?.removeEventListener('abort', stop)
      resolve(result)
    }
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It ended in the meantime.
      }
    }
    const stop = () => {
      kill()
      end({ is: 'failed', message: 'aborted' })
    }
    const timer = setTimeout(() => {
      kill()
      end({ is: 'failed', message: 'command timed out' })
    }, request.timeoutMs)
    request.signal?.addEventListener('abort', stop)
    const take = (chunk: Buffer) => {
      size += chunk.length
      if (size <= request.outputLimitBytes) chunks.push(chunk)
      else kill()
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (!nothingLeft.has(error.code ?? '')) end({ is: 'ended', code: 127, output: '' })
      else end({ is: 'failed', message: `couldn't create child process: ${error.message}` })
    })
    // Where no descriptor is left for them it has no streams.
    if (child.pid === undefined) return
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    // A program may end without reading.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(request.input)
    child.on('close', (code, signal) => {
      const output = fromBytes(Buffer.concat(chunks))
      end({ is: 'ended', code: code ?? (signal === null ? -1 : -256), output })
    })
  })
}
