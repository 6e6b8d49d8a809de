/** Imports every unit test beside the code, so that one process runs them all. */
import { globSync } from './glob.ts'

for (const file of globSync('src', '.test.js')) await import(file)
