export interface FunctionsOptions {
    projectId: string;
    host: string;
    modelFolder: string;
    ports: {
        functions: number;
    };
}
