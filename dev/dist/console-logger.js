/** A logger for service programs: one JSON line an entry on standard output, which the parent keeps in a file. */
const levels = ['debug', 'info', 'warn', 'error'];
/** The four methods that Firepod's libraries log through; entries below `lowest` are left out. */
export function createConsoleLogger(lowest = 'info') {
    const at = (level) => {
        if (levels.indexOf(level) < levels.indexOf(lowest))
            return () => undefined;
        return (fields, message) => {
            process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
        };
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
//# sourceMappingURL=console-logger.js.map