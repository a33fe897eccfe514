/** Decides which models' servers may run beside each other on one GPU. */
import type { ModelServer } from './model-server.ts';

/** A server and what it needs. */
export interface BudgetedServer {
  server: ModelServer;
  vramGib: number;
}

/** Makes room on the GPU. */
export interface VramBudget {
  /** Stops those that were used least recently until `wanted` fits beside the rest; it runs next. */
  makeRoomFor(wanted: BudgetedServer): Promise<void>;
}

/**
 * @param budgetGib what all servers together may take; null: one server at a time, whatever it takes. A model that needs
 * more than all of it runs alone: its own figure may well be too careful.
 */
export function createVramBudget(servers: readonly BudgetedServer[], budgetGib: number | null): VramBudget {
  let byLastUse = [...servers];
  return {
    async makeRoomFor(wanted) {
      const others = byLastUse.filter((each) => each !== wanted && each.server.isRunning);
      let takenGib = others.reduce((sum, { vramGib }) => sum + vramGib, wanted.vramGib);
      for (const other of others) {
        if (takenGib <= (budgetGib ?? 0)) break;
        await other.server.stop();
        takenGib -= other.vramGib;
      }
      byLastUse = [...byLastUse.filter((each) => each !== wanted), wanted];
    },
  };
}
