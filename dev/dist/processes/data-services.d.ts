export interface DataServicesOptions {
    projectId: string;
    bucket: string;
    host: string;
    dataFolder: string;
    ports: {
        auth: number;
        firestore: number;
        storage: number;
    };
}
