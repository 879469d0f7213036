// The script of the SharedWorker.

import { serve } from "./worker.ts";

serve(globalThis as unknown as { onconnect: unknown });
