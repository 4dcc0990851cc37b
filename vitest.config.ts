// Four kinds of test, one list. `unit` and `types` need neither root nor the native build; `native` runs the C++ tests beside them;
// `e2e` moves real packets between network namespaces, one file at a time and alone on the machine.
import { defineConfig } from 'vitest/config'

const minute = 60_000

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'types',
          include: [],
          typecheck: { enabled: true, only: true, include: ['test/types/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'native',
          include: ['test/native/**/*.test.ts'],
          testTimeout: 10_000,
          hookTimeout: 30 * minute,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 2 * minute,
          hookTimeout: 2 * minute,
          fileParallelism: false,
          pool: 'forks',
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
