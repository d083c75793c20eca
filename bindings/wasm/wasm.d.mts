/** The compiled module, as bundlers for Workers import it. Pass it to `instantiate`. */
declare const module: object;
export default module;
