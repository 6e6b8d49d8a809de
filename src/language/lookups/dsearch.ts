import type { FileStat } from '../../ports.ts'
import type { SingleKeyType } from './types.ts'

const filters: Readonly<Record<string, (stat: FileStat, key: string) => boolean>> = {
  file: (stat) => stat.kind === 'file',
  dir: (stat) => stat.kind === 'directory',
  subdir: (stat, key) => stat.kind === 'directory' && key !== '.' && key !== '..',
}

/** What is found may be trusted: the folder's owner put it there. */
export const dsearch: SingleKeyType = {
  name: 'dsearch',
  doc: 'Searches a folder for an entry with the name of the key.',
  since: '0.1',
  style: 'single',
  open(file, options, context) {
    const folder = context.ports.files.stat(file)
    if ('error' in folder) {
      return { error: 'failure', message: `failed to open ${file} for directory search: ${folder.error}` }
    }
    if (folder.kind !== 'directory') {
      return { error: 'failure', message: `failed to open ${file} for directory search: Not a directory` }
    }
    if (!file.startsWith('/')) {
      return { error: 'failure', message: `dirname for dsearch lookup is not absolute: ${file}` }
    }
    const byPath = options.get('key') === 'path'
    return {
      find(key) {
        if (!byPath && key.includes('/')) {
          return { is: 'defer', message: `key for dsearch lookup contains a slash: ${key}` }
        }
        if (key.includes('\0') || (byPath && key.split('/').includes('..'))) return { is: 'none' }
        const path = `${file.replace(/\/$/, '')}/${key}`
        const entry = context.ports.files.stat(path)
        if ('error' in entry) {
          if (entry.code === 'ENOENT' || entry.code === 'ENOTDIR' || entry.code === 'ENAMETOOLONG')
            return { is: 'none' }
          return { is: 'defer', message: `${path}: lstat: ${entry.error}` }
        }
        const filter = filters[options.get('filter') ?? '']
        if (filter !== undefined && !filter(entry, key)) return { is: 'none' }
        return { is: 'found', data: options.get('ret') === 'full' ? path : key }
      },
    }
  },
}
