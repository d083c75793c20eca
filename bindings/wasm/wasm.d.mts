/** The compiled module, as bundlers for Workers import it: what `instantiate` takes. */
declare const module: object;
export default module;
