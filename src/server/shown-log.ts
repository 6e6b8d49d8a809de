/** `-v`: lines of the logs are shown on standard error as they are written. Source: Exim manual, "-v". */
import type { LogFiles } from './log-files.ts'
import { logNames } from './log-names.ts'

export function shownLog(log: LogFiles, show: (text: string) => void): LogFiles {
  const tell = (names: string, text: string): void => show(`LOG: ${names}\n  ${text}\n`)
  return {
    selects: (selector, port) => log.selects(selector, port),
    takesFacts: log.takesFacts === true,
    main(id, text, facts) {
      tell('MAIN', text)
      log.main(id, text, facts)
    },
    reject(id, text, options) {
      tell(logNames(options), text)
      log.reject(id, text, options)
    },
    panic(id, text, facts) {
      tell('MAIN PANIC', text)
      log.panic(id, text, facts)
    },
    flush: () => log.flush(),
    reopen: () => log.reopen(),
    close: () => log.close(),
  }
}
